"""What every mate shares: settings, log, ops endpoint, lifecycle, backoff and secrets.

The chassis knows no service; the services know the chassis.
"""

__version__ = "0.1.0"
