/** `run`: the keeper itself, until the process is asked to end. */
import type { Context } from './command.ts';
import { listening } from './service.ts';

export async function run(context: Context): Promise<number> {
  const { signal } = context;
  try {
    const service = await listening(context);
    await service.run(signal);
  } catch (error) {
    if (error !== signal.reason) throw error; // asked to end before there was anything to end
  }
  return 0;
}
