"""04: versions, so that old and new code can run side by side.

A task is stored with the version of the class that submitted it. A runner takes it if it registered the same major
version and the same or a higher minor version: v1.3 may run what v1.2 submitted, and v2.0 may not.
"""

from tilebox_celery.workflows import Client, ExecutionContext, Task


class Resample(Task):
    """The class in the code base of today."""

    scene: str

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "example.com/Resample", "v1.3"

    def execute(self, context: ExecutionContext) -> None:
        print(f"{self.scene} resampled by v1.3")


class OldResample(Resample):
    """The same task as it was; in real life it is in an older release of the code."""

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "example.com/Resample", "v1.2"


class NewResample(Resample):
    """A new major version: another meaning, which older runners must not touch."""

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "example.com/Resample", "v2.0"

    def execute(self, context: ExecutionContext) -> None:
        print(f"{self.scene} resampled by v2.0")


client = Client()
old_job = client.jobs().submit("submitted by old code", OldResample("scene A"))
new_job = client.jobs().submit("submitted by new code", NewResample("scene B"))

client.runner(tasks=[Resample]).run_all()
print(client.jobs().find(old_job).state, client.jobs().find(new_job).state)

# The other task waits for a runner that may take it, and can say so.
for why in client.jobs().why(new_job):
    print(why)

client.runner(tasks=[NewResample]).run_all()
print(client.jobs().find(new_job).state)
