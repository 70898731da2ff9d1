"""Fixes time, tokens and surroundings. It must be imported before botocore."""

import datetime
import os
import time
import uuid

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
TOKEN = "11111111-1111-4111-8111-111111111111"
KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REQUEST_ID = "7a62c49f-347e-4fc4-9331-6e8eEXAMPLE"

for variable in list(os.environ):
    if variable.upper().startswith("AWS_") or variable.lower().endswith("_proxy"):
        del os.environ[variable]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

import botocore.compat

# botocore's modules take this function when they are loaded.
botocore.compat.get_current_datetime = lambda remove_tzinfo=True: (
    NOW.replace(tzinfo=None) if remove_tzinfo else NOW
)
uuid.uuid4 = lambda: uuid.UUID(TOKEN)

import botocore.auth


class FixedTime:
    """Stands for the module time in botocore's older signers."""

    def __getattr__(self, name):
        return getattr(time, name)

    def time(self):
        return NOW.timestamp()

    def gmtime(self):
        return NOW.timetuple()


botocore.auth.time = FixedTime()
botocore.auth.formatdate = lambda timeval=None, **kw: botocore.compat.formatdate(
    NOW.timestamp() if timeval is None else timeval, **kw
)
