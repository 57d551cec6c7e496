"""What a validation machine is given at its boot."""

from components.validation_machines import user_data


def test_user_data_stops_the_machine() -> None:
    text = user_data(suite="s1", keep_minutes=7)
    assert text.startswith("#cloud-config\n")
    assert "--on-active=7min" in text
    assert text != user_data(suite="s2", keep_minutes=7), "other checks, other machines"
