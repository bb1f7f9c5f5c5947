from __future__ import annotations

from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec

from jupyter_authorized_server.sandbox.provisioner import ConfinedFactory


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, True),
        ({"kernel_provisioner": {"provisioner_name": "local-provisioner"}}, True),
        ({"kernel_provisioner": {"provisioner_name": "nobody-has-installed-this"}}, False),
    ],
)
def test_a_kernelspec_can_be_used_where_the_provisioner_that_it_names_is_installed(
    metadata: dict[str, Any], *, expected: bool
) -> None:
    # Warnings are errors here: what Python 3.11 warns of, 3.12 refuses.
    factory = ConfinedFactory()
    assert expected is factory.is_provisioner_available(KernelSpec(metadata=metadata))
    assert "local-provisioner" in factory.get_provisioner_entries()
