/**
 * What a scenario of the keeper's bench comes back with: one row for each target, and the figures behind it.
 */
export interface Row {
  readonly target: string;
  readonly measured: string;
  /** Ours by the yardstick's, of the same run. */
  readonly ratio?: string;
  readonly met: boolean;
  readonly figures: Readonly<Record<string, number>>;
}

export interface ScenarioOptions {
  /** Fewer runs and shorter ones: to see that all is well, not to publish. */
  readonly quick: boolean;
}

export type Scenario = (options: ScenarioOptions) => Promise<readonly Row[]>;

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Of the sorted values, the one below which this share of them lies. NaN where there is none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
