"""Wraps traces as log collectors, mailers, office programs and people do: `python -m tests.wrappings`.

`forms` says what a form is and lists all forms, which are in the modules of their kinds; `compare` holds the analysis
of a wrapped trace against that of the plain one; `copies` looks for passwords in redacted copies.
"""

from tests.wrappings.forms import FORMS, Form, every_form

__all__ = ["FORMS", "Form", "every_form"]
