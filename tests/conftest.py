"""What holds for all tests."""

from hypothesis import settings

# An example may be kept waiting by other programs; what is slow is measured in bench/.
settings.register_profile("calm", deadline=None)
settings.load_profile("calm")
