/** Who is at work in a folder: all that a task has started keeps its sandbox as the working folder, whoever its parent is. */
import { readdir, readlink } from 'node:fs/promises';

/** A process that has ended, but was not yet asked how, has no working folder any more. */
export async function processesIn(folder: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
  return pids.filter((_, nth) => folders[nth]?.startsWith(folder)).map(Number);
}
