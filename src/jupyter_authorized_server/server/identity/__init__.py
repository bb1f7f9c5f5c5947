"""Identity: who asks. Local people by login session or API token, and their pages."""

from __future__ import annotations

from .local import PASSWORD_PATH, LocalIdentityProvider
from .setup_link import PATH as SETUP_PATH
from .setup_link import setup_url
from .user import LocalUser

__all__ = ["PASSWORD_PATH", "SETUP_PATH", "LocalIdentityProvider", "LocalUser", "setup_url"]
