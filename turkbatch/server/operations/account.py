"""The requester's account."""

from __future__ import annotations

from turkbatch.server import ledger
from turkbatch.server.operations import hits
from turkbatch.server.operations.call import Call


def get_account_balance(call: Call) -> dict[str, object]:
    """Tell how much money the requester can still spend.

    Parameters
    ----------
    call : Call
        GetAccountBalance.

    Returns
    -------
    dict
        AvailableBalance, and OnHoldBalance: what open HITs and unreviewed work may cost.

    Notes
    -----
    Unlike the sandbox's, this balance goes down.
    https://docs.aws.amazon.com/AWSMechTurk/latest/AWSMturkAPI/ApiReference_GetAccountBalanceOperation.html
    """
    account = ledger.read(call.connection, call.requester)
    return {
        "AvailableBalance": hits.dollars(account.available_cents),
        "OnHoldBalance": hits.dollars(account.held_cents),
    }
