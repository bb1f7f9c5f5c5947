"""Host: the process of a kernel or terminal, shaped by the policy."""
