/**
 * The life of a certificate as a bar: issued, the time from which it is renewed, now, and its end.
 *
 * An SVG whose lengths are shares of its width, so that it needs neither a style attribute nor a script.
 */
import { relative, span } from '../words.ts';
import { type Html, html } from './html.ts';
import { time } from './page-words.ts';

export interface Life {
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly renewAt: Date | undefined;
}

export function lifetime({ notBefore, notAfter, renewAt }: Life, now: Date): Html {
  const share = (at: Date): number => {
    const lifeMs = notAfter.getTime() - notBefore.getTime();
    const passed = lifeMs > 0 ? (at.getTime() - notBefore.getTime()) / lifeMs : 1;
    return Math.round(Math.min(Math.max(passed, 0), 1) * 1_000) / 10;
  };
  const [over, renewal] = [share(now), renewAt === undefined ? 100 : share(renewAt)];
  const isOver = notAfter <= now;
  const told = isOver ? `It ended ${relative(notAfter, now)}.` : `${Math.floor(over)} % of its life is over.`;
  return html`<figure class="life">
<svg role="img" aria-label="${`Lifetime of the certificate. ${told}`}" height="46">
<g class="track"><rect class="calm" y="16" width="${renewal}%" height="14"/><rect class="window" x="${renewal}%" y="16" width="${round(100 - renewal)}%" height="14"/></g>
<rect class="over" y="16" width="${over}%" height="14"/>
<svg x="100%" overflow="visible"><rect class="edge" x="-3" y="10" width="3" height="26"/></svg>
<svg x="${over}%" overflow="visible"><path class="${isOver ? 'now late' : 'now'}" d="M-7 3h14l-7 10zM-1 12h2v24h-2z"/></svg>
</svg>
<dl class="stations">
<div class="calm"><dt>Issued</dt><dd>${time(notBefore, now)}</dd></div>
${renewAt && html`<div class="window"><dt>Renewal from</dt><dd>${time(renewAt, now)}</dd></div>`}
<div class="now"><dt>Now</dt><dd>${told}</dd></div>
<div class="${isOver ? 'end late' : 'end'}"><dt>${isOver ? 'Ended' : 'Ends'}</dt><dd>${time(notAfter, now)}</dd></div>
</dl>
</figure>`;
}

function round(percent: number): number {
  return Math.round(percent * 10) / 10;
}

/** "90 days" */
export function length({ notBefore, notAfter }: Life): string {
  return span(notAfter.getTime() - notBefore.getTime());
}
