"""A request's rows are freed with the request: nothing of them waits for the garbage collector."""

import gc

from core_driver import Driver


def test_a_create_multiple_leaves_no_cycles(driver: Driver) -> None:
    def load() -> None:
        rows = [{"@odata.type": "Microsoft.Dynamics.CRM.contact", "lastname": str(n)} for n in range(500)]
        driver.multiple("CreateMultiple", "contacts", "contact", rows)

    load()
    gc.collect()
    gc.disable()
    try:
        load()
        assert gc.collect() == 0
    finally:
        gc.enable()
