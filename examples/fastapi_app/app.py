"""An endpoint to sign up with; the welcome is sent by a worker."""

from typing import Annotated

from fastapi import Depends, FastAPI
from jobs.send_welcome_job import SendWelcomeJob

from clock.fastapi import Push, clock_lifespan, pusher

app = FastAPI(lifespan=clock_lifespan())


@app.post("/signups", status_code=202)
async def sign_up(email: str, push: Annotated[Push, Depends(pusher)]) -> dict[str, str]:
    """Push the job without holding up the event loop."""
    return {"jid": await push(SendWelcomeJob, email)}
