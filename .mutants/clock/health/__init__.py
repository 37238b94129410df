from clock.health.children import Report, Reports
from clock.health.probes import Vitals, clock_complaints, complaints, launcher_complaints
from clock.health.server import HealthServer

__all__ = ["HealthServer", "Report", "Reports", "Vitals", "clock_complaints", "complaints", "launcher_complaints"]
