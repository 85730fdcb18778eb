/** GET /v2/queue: what waits for an offer or for the end of a back-off, and why the offers so far did not fit. */
import type { AppState, UnusedOffer } from './app-state.ts';
import type { Clock } from './clock.ts';
import type { Traits } from './profiles.ts';
import { render } from './render.ts';

export function renderQueue(states: Iterable<AppState>, clock: Clock, traits: Traits, embedOffers: boolean): unknown {
  const waiting = [...states].filter((state) => state.queue.count > 0);
  return { queue: waiting.map((state) => renderItem(state, clock, traits, embedOffers)) };
}

function renderItem(state: AppState, clock: Clock, traits: Traits, embedOffers: boolean): unknown {
  const { queue, definition } = state;
  const { version, versionInfo } = state.current;
  const leftMs = Math.max(0, (state.backoff?.until ?? 0) - Date.now());
  const timeLeftSeconds = Math.ceil(leftMs / clock.secondMs);
  const basic = {
    count: queue.count,
    delay: { timeLeftSeconds, overdue: leftMs === 0 },
    app: render({ definition, version, versionInfo }, traits),
  };
  if (!traits.offerSummaries) return basic;
  return {
    ...basic,
    ...(traits.role ? { role: definition.role ?? '*' } : {}),
    since: queue.since,
    processedOffersSummary: summary(state),
    ...(embedOffers ? { lastUnusedOffers: [...queue.lastOffers.values()].map(renderOffer) } : {}),
  };
}

function summary({ queue }: AppState): unknown {
  return {
    processedOffersCount: queue.processed,
    unusedOffersCount: queue.unused,
    ...(queue.lastUnusedAt ? { lastUnusedOfferAt: queue.lastUnusedAt } : {}),
    rejectSummaryLastOffers: queue.summary('last'),
    rejectSummaryLaunchAttempt: queue.summary('all'),
  };
}

function renderOffer({ agentId, host, role, taken, reason, timestamp }: UnusedOffer): unknown {
  const ranges = freeRanges(taken);
  const resources = [{ name: 'ports', ranges, role }];
  return {
    offer: { id: `offer-${agentId}`, hostname: host, agentId, resources, attributes: [] },
    reason: [reason],
    timestamp,
  };
}

function freeRanges(taken: readonly number[]): readonly { begin: number; end: number }[] {
  const edges = [0, ...taken, 65_536];
  return edges
    .slice(1)
    .map((end, index) => ({ begin: (edges[index] ?? 0) + 1, end: end - 1 }))
    .filter(({ begin, end }) => begin <= end);
}
