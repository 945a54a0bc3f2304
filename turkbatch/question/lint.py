"""Whether a page will work as a form: what MTurk takes but workers stumble over."""
