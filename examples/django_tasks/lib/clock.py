"""The schedule. Run it with: python manage.py clock"""

from shop.jobs import ForgetOldOrdersJob
from shop.tasks import count_orders

from clock import configure, every

configure(tz="UTC")

every().day.at("03:00").named("orders.forget").do(ForgetOldOrdersJob)
every().hour.named("orders.count").do(count_orders)
