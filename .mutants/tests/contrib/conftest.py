from tests.worker.conftest import bench as bench
from tests.worker.conftest import fake_clock as fake_clock
