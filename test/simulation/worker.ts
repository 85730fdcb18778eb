/** A thread that runs seeds as they come: on every core one. The mutation, if there is one, is put in before anything else. */
import { parentPort, workerData } from 'node:worker_threads';

const { mutation } = workerData as { readonly mutation: string | undefined };
if (mutation !== undefined) {
  const { plant } = await import('./plant.ts');
  plant(mutation);
}
const { runSeed } = await import('./run.ts');

parentPort?.on('message', async (asked: { readonly seed: number; readonly days: number }) => {
  parentPort?.postMessage(await runSeed(asked));
});
