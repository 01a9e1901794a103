"""Pipelines that are ready: drop duplicates, require fields, send to a webhook.

from crawler.pipelines import DropDuplicates, RequireFields, Webhook

class Shop(Spider):
    pipelines = [RequireFields("name", "price"), DropDuplicates("url")]
"""

from crawler.pipelines.duplicates import DropDuplicates
from crawler.pipelines.required import RequireFields
from crawler.pipelines.webhook import Webhook

__all__ = ["DropDuplicates", "RequireFields", "Webhook"]
