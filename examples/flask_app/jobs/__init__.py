"""The jobs. Each runs in the application's context, which `clock.flask` provides."""
