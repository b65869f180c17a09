"""05: clusters, for tasks that need certain machines.

A runner joins one cluster. A subtask runs in the cluster of its parent unless it names another one; dependencies reach
across clusters.
"""

from tilebox_celery.workflows import Client, ExecutionContext, Task


class Train(Task):
    """Runs anywhere; sends the heavy part to the machines with graphics cards."""

    gpu_cluster: str

    def execute(self, context: ExecutionContext) -> None:
        print("prepare samples")
        fit = context.submit_subtask(Fit(), cluster=self.gpu_cluster)
        context.submit_subtask(Evaluate(), depends_on=fit)


class Fit(Task):
    def execute(self, context: ExecutionContext) -> None:
        print("fit the model")


class Evaluate(Task):
    def execute(self, context: ExecutionContext) -> None:
        print("evaluate the model")


client = Client()
cpu = client.clusters().create("CPU machines")
gpu = client.clusters().create("GPU machines")
print(gpu.display_name, "are called", gpu.slug.rpartition("-")[0] + "-...")

job = client.jobs().submit("training", Train(gpu.slug), cluster=cpu)

# In real life these are two programs on two machines, each with run_forever().
cpu_runner = client.runner(cpu, tasks=[Train, Evaluate])
gpu_runner = client.runner(gpu, tasks=[Fit])

for name, runner in (("CPU:", cpu_runner), ("GPU:", gpu_runner), ("CPU:", cpu_runner)):
    print(name)
    runner.run_all()

print(client.jobs().find(job).state)
for cluster in (cpu, gpu):
    client.clusters().delete(cluster)
