"""The platform's limits as pure arithmetic. The emulator keeps its own copy on purpose: two witnesses."""

# Source: Microsoft Learn, "Service protection API limits".
WINDOW_S = 300
REQUESTS_PER_WINDOW = 6_000
EXECUTION_S_PER_WINDOW = 1_200
CONCURRENT_REQUESTS = 52

# Source: Microsoft Learn, "Execute batch operations using the Web API".
CALLS_PER_BATCH = 1_000

# Source: Microsoft Learn, "Requests limits and allocations" (2025-05-29).
DAILY_REQUESTS_BASE = 500_000
DAILY_REQUESTS_PER_LICENCE = 5_000
DAILY_REQUESTS_MAX = 10_000_000

# Source: Dynamics 365 licensing guide, appendix on custom tables: a licence right, the platform does not enforce it.
CUSTOM_TABLES_PROFESSIONAL = 15


def file_bytes_allowed(max_upload_base64_bytes: int) -> int:
    """Largest file in bytes whose base64 text fits the organisation's `maxuploadfilesize`.

    The setting counts base64 characters: every started group of three bytes takes four.
    """
    return max_upload_base64_bytes // 4 * 3


def daily_requests(licences: int) -> int:
    """Pooled daily request entitlement of application users in a tenant with that many Enterprise/Professional licences."""
    return min(DAILY_REQUESTS_MAX, DAILY_REQUESTS_BASE + licences * DAILY_REQUESTS_PER_LICENCE)
