"""Numbers that are dates of the calendar, such as 20240301, and other numbers that count no seconds since 1970.

A form is accepted only if nearly every number of the column fits it, so that no time is read by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...detectors.batch import Bools, Floats, Ints

FIRST_YEAR, LAST_YEAR = 1900, 2100
EXCEL_ZERO = -2_209_161_600.0  # epoch seconds of 1899-12-30, day 0 of Excel
EXCEL_FIRST, EXCEL_LAST = 32_874.0, 55_153.0  # 1990 and 2051; days since 1970 are smaller
DAY = 86_400.0
LEAST_FITTING = 0.95  # share of the numbers


@dataclass(frozen=True, slots=True)
class CalendarForm:
    """A way to write a date as a number.

    Attributes:
        name: as a message shows it.
        digits: of the number.
        year_digits: 4, or 2 for a year without its century, which is refused.
        parts: how many of month, day, hour, minute and second follow, with two digits each.
    """

    name: str
    digits: int
    year_digits: int
    parts: int

    @property
    def is_time(self) -> bool:
        """Whether it gives the century and the day."""
        return self.year_digits == 4 and self.parts >= 2


FORMS = (
    CalendarForm("YYYYMMDDHHMMSS", 14, 4, 5),
    CalendarForm("YYYYMMDDHHMM", 12, 4, 4),
    CalendarForm("YYMMDDHHMMSS", 12, 2, 5),
    CalendarForm("YYYYMMDDHH", 10, 4, 3),
    CalendarForm("YYMMDDHHMM", 10, 2, 4),
    CalendarForm("YYYYMMDD", 8, 4, 2),
    CalendarForm("YYYYMM", 6, 4, 1),
    CalendarForm("YYMMDD", 6, 2, 2),
    CalendarForm("YYYY", 4, 4, 0),
)
_LEAST = (1, 1, 0, 0, 0)  # month, day, hour, minute, second
_MOST = (12, 31, 23, 59, 59)


def calendar_form(values: Floats) -> CalendarForm | None:
    """Return the form that nearly all numbers [values] have, which are finite; None if there is none."""
    if not len(values):
        return None
    return next((form for form in FORMS if np.mean(_fits(values, form)) >= LEAST_FITTING), None)


def calendar_seconds(values: Floats, form: CalendarForm) -> Floats:
    """Return the epoch seconds [values] of calendar numbers, which count as UTC; NaN for a number of no such form."""
    fits = _fits(values, form)
    whole = np.where(fits, values, 0.0).astype(np.int64)
    year, parts = _split(whole, form)
    rest = [np.full_like(whole, least) for least in _LEAST[len(parts) :]]
    all_parts = [*parts, *rest]
    month, day, hour, minute, second = all_parts
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    dates = months.astype("datetime64[M]").astype("datetime64[D]") + (day - 1)
    fits &= dates.astype("datetime64[M]").astype(np.int64) == months  # no 30 February
    days = dates.astype(np.int64)
    out: Floats = (days * 86_400 + hour * 3600 + minute * 60 + second).astype(np.float64)
    out[~fits] = np.nan
    return out


def excel_seconds(values: Floats) -> Floats | None:
    """Return the epoch seconds [values] of Excel's days since 1899-12-30; None unless nearly all are of 1990 to 2050.

    Excel keeps seconds, so the result is rounded to whole seconds.
    """
    fits = (values >= EXCEL_FIRST) & (values < EXCEL_LAST)
    if fits.sum() < max(1.0, LEAST_FITTING * np.isfinite(values).sum()):
        return None
    out: Floats = np.where(fits, np.round(values * DAY) + EXCEL_ZERO, np.nan)
    return out


def _fits(values: Floats, form: CalendarForm) -> Bools:
    with np.errstate(invalid="ignore"):
        whole = values == np.floor(values)
    low = 10.0 ** (form.digits - 1) if form.year_digits == 4 else 0.0
    fits: Bools = whole & (values >= low) & (values < 10.0**form.digits)
    year, parts = _split(np.where(fits, values, 0).astype(np.int64), form)
    if form.year_digits == 4:
        fits &= (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    for part, least, most in zip(parts, _LEAST, _MOST, strict=False):
        fits &= (part >= least) & (part <= most)
    return fits


def _split(whole: Ints, form: CalendarForm) -> tuple[Ints, list[Ints]]:
    """Return the years and the parts after the year."""
    parts = [whole // 100 ** (form.parts - 1 - place) % 100 for place in range(form.parts)]
    return whole // 100**form.parts, parts
