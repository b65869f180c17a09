"""06: what people see of a job while it runs: progress bars, and tasks with telling names.

A progress bar belongs to the job and has a label: all tasks that name it move the same bar. What a task added
counts when it ends; an attempt that fails counts for nothing.
"""

from tilebox_celery.workflows import Client, ExecutionContext, Task


class Ingest(Task):
    granules: list[str]

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = f"Ingest {len(self.granules)} granules"
        context.progress("download").add(len(self.granules))
        context.progress("index").add(len(self.granules))
        for granule in self.granules:
            download = context.submit_subtask(Download(granule))
            context.submit_subtask(Index(granule), depends_on=download)


class Download(Task):
    granule: str

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = f"Download {self.granule}"
        context.progress("download").done(1)


class Index(Task):
    granule: str

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = f"Index {self.granule}"
        context.progress("index").done(1)


client = Client()
job = client.jobs().submit("ingest", Ingest(["S2A_35MNM", "S2B_35MNM"]))


def show_progress() -> None:
    for bar in client.jobs().find(job).progress:
        print(f"{bar.label:<9} {bar.done} of {bar.total}")


# This runner can download and not index yet, so that the job stops half way.
client.runner(tasks=[Ingest, Download]).run_all()
show_progress()

client.runner(tasks=[Index]).run_all()
show_progress()

for root in client.jobs().tasks(job):
    print(root.display)
    for child in root.children:
        print("   ", child.display)
