/**
 * The arithmetic of a rolling update, as Marathon's TaskReplaceActor does it: how many old tasks die at once and how
 * many tasks there may be in all. Pure.
 */
import type { UpgradeStrategy } from './model.ts';

export interface Standing {
  readonly instances: number;
  readonly strategy: UpgradeStrategy;
  readonly consideredHealthy: number;
  readonly currentInstances: number;
  readonly resident: boolean;
  /** 1.10 and later also kill what is beyond the wanted number. */
  readonly killsExtra: boolean;
}

export interface RestartStrategy {
  readonly nrToKillImmediately: number;
  readonly maxCapacity: number;
}

export function restartStrategy(standing: Standing): RestartStrategy {
  const { instances, strategy, consideredHealthy, currentInstances } = standing;
  const minHealthy = Math.ceil(instances * strategy.minimumHealthCapacity);
  let maxCapacity = Math.trunc(instances * (1 + strategy.maximumOverCapacity));
  let kill = Math.max(0, consideredHealthy - minHealthy);
  if (minHealthy === maxCapacity && maxCapacity <= consideredHealthy) {
    // No room to move: a resident app may not have one more (its volume is taken), any other may.
    if (standing.resident) kill = consideredHealthy - minHealthy + 1;
    else maxCapacity += 1;
  }
  if (standing.killsExtra && instances < currentInstances) kill = Math.max(currentInstances - instances, kill);
  return { nrToKillImmediately: kill, maxCapacity };
}
