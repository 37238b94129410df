from clock.web.access import LOCAL_HOSTS, Access, Gatekeeper, basic, local
from clock.web.dashboard import Dashboard, open_dashboard, source_of
from clock.web.data import Source
from clock.web.http import Request, Response

__all__ = [
    "LOCAL_HOSTS",
    "Access",
    "Dashboard",
    "Gatekeeper",
    "Request",
    "Response",
    "Source",
    "basic",
    "local",
    "open_dashboard",
    "source_of",
]
