"""WhatsApp chats as text: Android and iOS, marks, several lines, what the system says, which day a date is."""

import re

import pytest
from staging.export_case import Export, object_of_fields, pack_of

from flitstack.packs.types import Field
from flitstack.staging.chats import HEADER, find_order, iso_day

CHATS = pack_of(
    object_of_fields("Chat", ["whatsapp/*.txt", "*_chat.txt"], *(Field(name) for name in HEADER), key="Message")
)


def said(export: Export, name: str, text: str | bytes) -> list[tuple[str, ...]]:
    """(day, time, author, text, kind) of every message."""
    export.pack = CHATS
    return export.write(name, text).staged().rows('"Date", "Time", "Author", "Text", "Kind"', "Chat")


def test_an_android_chat_is_read_message_by_message(export: Export) -> None:
    text = (
        "09.07.2025, 02:25 - Messages and calls are end-to-end encrypted.\n"
        "09.07.2025, 22:17 - Ana Ruiz: goes on\n\nafter a blank line, at 10:30 - 11:00\n"
        "10.07.2025, 04:25 - +90 532 000 00 00: Fiyat: 1.250 € ?\n"
        "10.07.2025, 04:26 - Ana Ruiz: <Media omitted>\n"
    )
    assert said(export, "whatsapp/K-1.txt", text) == [
        ("2025-07-09", "02:25:00", None, "Messages and calls are end-to-end encrypted.", "system"),
        ("2025-07-09", "22:17:00", "Ana Ruiz", "goes on\n\nafter a blank line, at 10:30 - 11:00", "text"),
        ("2025-07-10", "04:25:00", "+90 532 000 00 00", "Fiyat: 1.250 € ?", "text"),
        ("2025-07-10", "04:26:00", "Ana Ruiz", "<Media omitted>", "media"),
    ]


def test_an_ios_chat_loses_its_marks_of_direction_and_is_called_by_its_folder(export: Export) -> None:
    text = "[14.03.2025, 08:04:59] Ana: hi\r\n\u200e[14.03.2025, 08:05:11] Ana: \u200eimage omitted\r\n"
    export.pack = CHATS
    staged = export.write("WhatsApp Chat - Ana Ruiz/_chat.txt", text).staged()
    assert staged.column("Text", "Chat") == ["hi", "image omitted"]
    assert staged.column("Kind", "Chat") == ["text", "media"]
    assert staged.column("Chat", "Chat") == ["Ana Ruiz", "Ana Ruiz"]
    assert staged.column("Message", "Chat")[1] == "WhatsApp Chat - Ana Ruiz/_chat.txt#2"


@pytest.mark.parametrize(
    ("clock", "time"), [("12:05\u202fAM", "00:05:00"), ("12:05 pm", "12:05:00"), ("9:05 p.m.", "21:05:00")]
)
def test_a_twelve_hour_clock_is_read(export: Export, clock: str, time: str) -> None:
    assert said(export, "whatsapp/a.txt", f"3/25/25, {clock} - Ana: hi\n") == [
        ("2025-03-25", time, "Ana", "hi", "text")
    ]


@pytest.mark.parametrize(
    ("days", "order"),
    [
        ("3/4/25 3/25/25", "MDY"),  # there is no month 25
        ("3/4/25 25/4/25", "DMY"),
        ("3/4/25 4/3/25", "MDY"),  # as day and month it would go back in time
        ("3/4/25 3/5/25", ""),  # fits both: the decision date_order tells
        ("09.07.2025", "DMY"),
        ("2025-07-09", "YMD"),
    ],
)
def test_the_order_of_day_and_month_is_that_of_the_whole_file(days: str, order: str) -> None:
    parts = [re.fullmatch(r"(\d+)(\D)(\d+)\D(\d+)", day) for day in days.split()]
    assert find_order((part[1], part[2], part[3], part[4]) for part in parts if part) == order


def test_a_day_that_fits_both_orders_keeps_its_text_with_a_full_year() -> None:
    assert iso_day(("3", "/", "4", "25"), "") == "3/4/2025"


def test_a_text_file_that_is_no_chat_is_read_as_a_table(export: Export) -> None:
    export.pack = CHATS
    staged = export.write("whatsapp/list.txt", "Message;Chat;Text\n1;Ana;hi\n").staged()
    assert staged.file("whatsapp/list.txt").format == "csv"
    assert staged.column("Text", "Chat") == ["hi"]


def test_a_message_with_an_unreadable_byte_is_held_and_the_others_are_read(export: Export) -> None:
    export.pack = CHATS
    good = "".join(f"09.07.2025, 22:1{minute} - Ana: Łódź\n" for minute in range(8)).encode()
    bad = b"10.07.2025, 08:00 - Ana: goes on\nfor \xff two lines\n"
    staged = export.write("whatsapp/a.txt", good + bad + b"10.07.2025, 08:01 - Ana: last").staged()
    assert staged.column("Text", "Chat") == ["Łódź"] * 8 + ["last"]
    assert staged.rejects() == [(9, "9", "10.07.2025, 08:00 - Ana: goes on\nfor \ufffd two lines")]
    assert "no utf-8 text" in staged.findings("bad_row")[0]["what"]
