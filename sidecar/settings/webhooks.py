"""The receivers of webhooks in the document: of retraining requests, and of notifications.

The path of a webhook's URL is often its secret, so nothing but `shown_receiver` shows such a URL.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from ..errors import hide_path
from .blocks import DnsName, DocumentBlock, Duration, Name, WebhookUrl

NotifyEvent = Literal["alarmOpened", "alarmClosed", "blindStarted", "blindEnded"]
CREDENTIALS = "contains a user name or a password"
NOTIFY_EVENTS: tuple[NotifyEvent, ...] = ("alarmOpened", "alarmClosed", "blindStarted", "blindEnded")


class SecretRef(DocumentBlock, frozen=True, kw_only=True):
    """A key of a Kubernetes Secret."""

    name: Annotated[Name, Meta(description="Name of the Secret.")]
    key: Annotated[Name, Meta(description="Key in the Secret.")] = "key"


class Webhook(DocumentBlock, frozen=True, kw_only=True):
    """The receiver of retraining requests: exactly one of url, urlFile and urlSecretRef."""

    url: Annotated[WebhookUrl | None, Meta(description="URL that receives the event by POST.")] = None
    url_file: Annotated[
        Name | None,
        Meta(
            description="File with this URL, relative to the folder of the document. Use it if the URL itself is a "
            "secret, as with Slack."
        ),
    ] = None
    url_secret_ref: Annotated[
        SecretRef | None, Meta(description="Secret with this URL, in a cluster. Use it if the URL itself is a secret.")
    ] = None
    secret_ref: Annotated[SecretRef | None, Meta(description="Secret that signs the event, in a cluster.")] = None
    secret_file: Annotated[
        Name | None,
        Meta(description="File with the secret that signs the event, relative to the folder of the document."),
    ] = None
    timeout: Annotated[Duration, Meta(description="Timeout of one delivery.")] = 10.0
    content_mode: Annotated[
        Literal["structured", "binary"],
        Meta(
            description="Form of the CloudEvent: `structured`, all in the body, or `binary`, its attributes in headers."
        ),
    ] = "structured"


class NotifyWebhook(Webhook, frozen=True, kw_only=True):
    """The receiver of notifications: exactly one of url, urlFile and urlSecretRef."""

    format: Annotated[
        Literal["generic", "slack"],
        Meta(
            description='`generic`: a CloudEvent, as for a retraining. `slack`: `{"text": ...}`, which Slack, '
            "Mattermost and Rocket.Chat accept."
        ),
    ] = "generic"


class Notify(DocumentBlock, frozen=True, kw_only=True):
    """One receiver of notifications. They are sent in every mode, because a notification is not an action."""

    webhook: Annotated[NotifyWebhook, Meta(description="Receiver of the notifications.")]
    name: Annotated[
        DnsName | None,
        Meta(
            description="Name of the receiver in report, metrics and log. With a name, the URL can change and nothing "
            "is sent again."
        ),
    ] = None
    events: Annotated[
        tuple[NotifyEvent, ...],
        Meta(
            description="Events to send: the start and the end of an alarm, and of a part of the traffic that cannot "
            "be measured.",
            min_length=1,
        ),
    ] = NOTIFY_EVENTS
    blind_for: Annotated[
        Duration,
        Meta(description="How long a blind spot must last before it is sent, and be gone before its end is sent."),
    ] = 60.0


def shown_receiver(webhook: Webhook) -> str:
    """Return the receiver for messages: its URL without the path, or the name of the file or Secret with the URL."""
    if webhook.url is not None:
        return hide_path(webhook.url)
    return f"URL in Secret {webhook.url_secret_ref.name}" if webhook.url_secret_ref else f"URL in {webhook.url_file}"


def receiver_id(item: Notify) -> str:
    """Return a hash that identifies the receiver: of its name, or else of its address."""
    return hashlib.sha256(f"{item.name or _address(item.webhook)}".encode()).hexdigest()[:16]


def address_hash(webhook: Webhook) -> str:
    """Return a hash of the receiver's address; a hash, since a URL may contain a secret."""
    return hashlib.sha256(_address(webhook).encode()).hexdigest()[:16]


def _address(webhook: Webhook) -> str:
    if webhook.url is not None:
        return webhook.url
    ref = webhook.url_secret_ref
    return f"secret:{ref.name}/{ref.key}" if ref else f"file:{webhook.url_file}"


def url_problem(url: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """Return why no event can be sent to `url`, without a part of it; empty if one can."""
    try:
        address = urlsplit(url)
        usable = address.scheme in schemes and bool(address.hostname) and (address.port is None or address.port > 0)
    except ValueError:
        usable = False
    else:
        if address.username is not None or address.password is not None:
            return CREDENTIALS
    if usable and not any(character.isspace() for character in url):
        return ""
    return f"is not an address that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}"
