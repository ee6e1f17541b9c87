"""Wraps traces as log collectors, mailers, office programs and people do: `python -m tests.wrappings`.

forms.py     what a form is, and the list of all forms
compare.py   what is compared, and what counts as a miss
collectors.py, columns.py, markup.py, mail.py, office.py, escapes.py, characters.py, losses.py,
        nested.py    the forms
"""

from tests.wrappings.forms import FORMS, Form, every_form

__all__ = ["FORMS", "Form", "every_form"]
