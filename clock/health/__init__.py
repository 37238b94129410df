from clock.health.probes import Vitals, clock_complaints, worker_complaints
from clock.health.server import HealthServer

__all__ = ["HealthServer", "Vitals", "clock_complaints", "worker_complaints"]
