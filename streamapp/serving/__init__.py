"""From request bytes to answer bytes: decode, score, encode, and count each answer once.

Everything here is pure: records, arrays and times in; records, arrays and counts out.
"""

from __future__ import annotations
