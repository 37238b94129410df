from clock.ticker.by_hand import fire_by_hand
from clock.ticker.journal import Signature
from clock.ticker.leader import Leader
from clock.ticker.pulse import Pulse
from clock.ticker.release import Release, release_of
from clock.ticker.ticker import Ticker

__all__ = ["Leader", "Pulse", "Release", "Signature", "Ticker", "fire_by_hand", "release_of"]
