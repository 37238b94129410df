"""A page to sign up on; the welcome is sent by a worker."""

from pathlib import Path

from flask import Flask, request
from jobs.send_welcome_job import SendWelcomeJob

from clock.flask import Clock

clock = Clock()


def create_app() -> Flask:
    """The application, for the web server, the worker and the clock."""
    app = Flask(__name__)
    app.config["OUTBOX"] = Path("outbox.txt")
    app.config["CLOCK"] = {"concurrency": 5}
    clock.init_app(app)

    @app.post("/signups")
    def sign_up() -> tuple[dict[str, str], int]:
        return {"jid": SendWelcomeJob.perform_async(request.form["email"])}, 202

    return app
