from clock.health.probes import Report, Reports, Vitals, clock_complaints, complaints, launcher_complaints
from clock.health.server import HealthServer

__all__ = ["HealthServer", "Report", "Reports", "Vitals", "clock_complaints", "complaints", "launcher_complaints"]
