from clock.health.probes import Vitals, complaints
from clock.health.server import HealthServer

__all__ = ["HealthServer", "Vitals", "complaints"]
