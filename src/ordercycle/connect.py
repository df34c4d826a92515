"""Where lists are synced to: accounts of vendors, each with its own protocol."""

from ordercycle._sync.connection import RemoteAudience
from ordercycle._sync.mailchimp import Mailchimp
from ordercycle._sync.meta import Meta

__all__ = ["Mailchimp", "Meta", "RemoteAudience"]
