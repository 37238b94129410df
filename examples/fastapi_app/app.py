"""An endpoint to sign up with; the welcome is sent by a worker."""

from fastapi import FastAPI
from jobs.send_welcome_job import SendWelcomeJob

app = FastAPI()


@app.post("/signups", status_code=202)
async def sign_up(email: str) -> dict[str, str]:
    """Push the job without holding up the event loop."""
    return {"jid": await SendWelcomeJob.aperform_async(email)}
