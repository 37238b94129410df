"""A page to sign up on; the welcome is sent by a worker."""

from pathlib import Path

from flask import Flask, request
from jobs.send_welcome_job import SendWelcomeJob


def create_app() -> Flask:
    """The application, for the web server and for the worker."""
    app = Flask(__name__)
    app.config["OUTBOX"] = Path("outbox.txt")

    @app.post("/signups")
    def sign_up() -> tuple[dict[str, str], int]:
        return {"jid": SendWelcomeJob.perform_async(request.form["email"])}, 202

    return app
