/** `config`: the settings in force. They are shown even where they are wrong, for that is when they are looked at. */
import { effectiveSettings, parseConfig } from '../config.ts';
import type { Context, Given } from './command.ts';

export async function config({ env, out }: Context, { json }: Given): Promise<number> {
  const settings = effectiveSettings(env);
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  out(json ? `${JSON.stringify(settings, null, 2)}\n` : lines.join(''));
  parseConfig(env);
  return 0;
}
