from clock.health.probes import Vitals, clock_complaints, complaints
from clock.health.server import HealthServer

__all__ = ["HealthServer", "Vitals", "clock_complaints", "complaints"]
