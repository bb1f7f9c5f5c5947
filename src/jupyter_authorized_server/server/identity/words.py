"""Identity: every text of the pages that work without scripts; English.

The pages with scripts have theirs in `labextension/src/words.ts`. Templates and handlers
hold none, so that whoever translates looks nowhere else.
"""

from __future__ import annotations

import math

LOGO = "Jupyter"
SIGN_IN = "Sign in"
USER_NAME = "User name"
CREDENTIAL = "Password"
SET_UP = "Set up"
SET_UP_SERVER = "Set up this server"
FIRST = "You are about to become its first administrator."
NAME_STAYS = "Stays the same for good; upper and lower case are different."
SHOWN_AS = "Shown as"
SHOWN_TO = "What others see; may be left empty."
LONG_ENOUGH = "At least 8 characters."
SAME_AGAIN = "The same password again"
CHANGE_YOURS = "Change your password"
CHANGE_IT = "Change password"
SIGNS_OUT = "This signs you out of every other browser. API tokens stay as they are."
OLD_ONE = "Old password"
NEW_ONE = "New password"
NEW_AGAIN = "The new password again"
OUT_EVERYWHERE = "Sign out everywhere"
SIGN_INS = "Where you are signed in, and tokens for programs"
LOOK_TITLE = "Look at a share"
NO_SIGN_IN = "You need not sign in for that. You change and run nothing."
LOOK = "Look as a guest"
SIGN_IN_INSTEAD = "Sign in instead"
ACCEPT_TITLE = "Accept a share"
ACCEPT = "Accept"
WRONG = "The user name or the password is wrong."
OUT_OF_REACH = "The server cannot reach its list of people. Try again in a moment."
GO_ON = "Go on to the server"
STALE = "this form had grown stale, or came from another site; open it again"
NOBODY_YET = (
    "Nobody can sign in yet: open the set-up link that the server wrote to its "
    "terminal or log when it started."
)
OUT_HERE_ONLY = "Signed out here only"
OUT_UNRECORDED = (
    "This browser has forgotten you, but the server could not end or record the login"
    " session. Sign in and out again in a moment."
)
OUT = "Signed out"
SIGN_IN_AGAIN = "Sign in again"
EVERYWHERE = "You are signed out everywhere."
OF_THIS = "You are signed out of this browser."
DEAD_LINK = "This link opens nothing"
DEAD_WHY = (
    "A set-up link holds for one day, for one use, and only until there is somebody "
    "who can sign in. While there is nobody, restart the server: it prints a new one."
)
CHANGED = "Password changed"
CHANGED_WHAT = "Every other browser you were signed in with has been signed out."
OLD_WRONG = "The old password is wrong."
NOT_BY_PROGRAM = "an API token cannot change a password; sign in in a browser"
NO_MORE = "you may not sign in any more"
NOT_OPENED = "Not opened"
NOT_ACCEPTED = "Not accepted"
LINK_OVER = "This link is over"
DIFFER = "the two passwords differ; type the same one twice"


def can_look(thing: str) -> str:
    """What a guest can do with `thing`."""
    return f"You can look at {thing}"


def shares(giver: str, thing: str) -> str:
    """Who has made a link, and for what."""
    return f"{giver} shares {thing} with you"


def would_be(level: str, sentence: str) -> str:
    """What whoever accepts a link becomes."""
    return f"You would be {level} there: you {sentence}."


def ends(until: str) -> str:
    """When that is over."""
    return f"It ends {until}."


def too_many(seconds: float) -> str:
    """What somebody reads who has to wait for `seconds`; never too short."""
    whole = math.ceil(seconds)
    time = "1 second" if whole == 1 else f"{whole} seconds"
    if whole > 90:  # noqa: PLR2004  # why: where one starts to count in minutes
        time = f"{math.ceil(seconds / 60)} minutes"
    return f"Too many failed attempts. Try again in {time}."
