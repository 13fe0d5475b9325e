"""What this customer's EspoCRM lets us write, where a wrong value would refuse the whole write."""

import msgspec

from bitbylaw.common.errors import NotFound, Refused
from bitbylaw.common.espocrm.client import EspoClient
from bitbylaw.common.telemetry.logging import get_logger
from bitbylaw.document_sync.model import Document
from bitbylaw.document_sync.policies import DocumentPolicies

log = get_logger("crm")


async def writable(espo: EspoClient, policies: DocumentPolicies, document: Document | None) -> DocumentPolicies:
    """`policies`, with `dateiStatus` left alone where the CRM's options do not have the value we would write.

    Asked only when it is about to be written; EspoCRM's metadata is kept for a while.

    Raises:
        BitByLawError: EspoCRM did not answer this time.
    """
    if document is None or not policies.datei_status_synced or document.datei_status not in policies.datei_status_new:
        return policies
    key = f"entityDefs.{policies.entity_type}.fields.{policies.fields.datei_status}.options"
    try:
        options = await espo.metadata(key)
    except (NotFound, Refused):
        options = None
    if isinstance(options, list) and policies.datei_status_synced in options:
        return policies
    log.info("datei_status_left_alone", wanted=policies.datei_status_synced)
    return msgspec.structs.replace(policies, datei_status_synced="")
