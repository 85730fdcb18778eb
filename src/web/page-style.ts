/**
 * The style of the status page: light and dark as the reader's system has it, one column on a telephone, no font and no
 * picture from anywhere. Every colour of text stands 4.5:1 or better against what is behind it (WCAG 2.2, 1.4.3).
 */
export const STYLE = `
:root {
  --ground: #f4f5f8; --card: #ffffff; --line: #dfe3ea; --text: #1c2330; --soft: #566074; --link: #1d56b8;
  --good: #136b3d; --good-back: #e2f4e9; --busy: #1d4fa8; --busy-back: #e4edfc; --warn: #8a4b00; --warn-back: #fdf0da;
  --bad: #a82222; --bad-back: #fce6e6; --plain: #4d576a; --plain-back: #eceff4;
  --calm: #a9dcc0; --calm-over: #2f9e68; --window: #f3cf8e; --now: #1c2330; --track: #e6e9ef;
  --shadow: 0 1px 2px rgb(20 30 50 / 6%), 0 4px 14px rgb(20 30 50 / 5%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10141b; --card: #181e28; --line: #2b3442; --text: #e7ebf2; --soft: #a0abbd; --link: #8ab6ff;
    --good: #74d9a2; --good-back: #15352a; --busy: #93bbff; --busy-back: #18304f; --warn: #f5bd68; --warn-back: #3b2c12;
    --bad: #ff9c9c; --bad-back: #431d22; --plain: #b4bdcc; --plain-back: #262e3b;
    --calm: #24513d; --calm-over: #43b37c; --window: #6b4e1d; --now: #f2f5fa; --track: #262e3b;
    --shadow: none;
  }
}
* { box-sizing: border-box; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1.25rem clamp(.75rem, 3vw, 2rem) 2rem; max-width: 78rem;
  background: var(--ground); color: var(--text);
  font: 400 .9375rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; padding: .3rem .8rem; background: var(--card); }
h1 { margin: 0 0 1rem; font-size: 1.15rem; line-height: 1.35; overflow-wrap: anywhere; }
h1 .app { font-weight: 400; color: var(--soft); }
h1 .sub { display: block; font-size: .8125rem; font-weight: 400; color: var(--soft); }
h2 { margin: 0 0 .75rem; font-size: 1rem; }
p { margin: 0 0 .5rem; overflow-wrap: anywhere; }
p:last-child { margin-bottom: 0; }
code { font: .75rem/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(12, minmax(0, 1fr)); }
.card {
  grid-column: 1 / -1; padding: 1.1rem 1.25rem; min-width: 0;
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; box-shadow: var(--shadow);
}
@media (min-width: 60rem) {
  #certificate { grid-column: span 8; }
  #next { grid-column: span 4; }
}
.hero { border-left: 6px solid var(--edge); }
.hero.good { --edge: var(--calm-over); } .hero.busy { --edge: var(--busy); } .hero.warn { --edge: var(--warn); }
.hero.bad { --edge: var(--bad); } .hero.plain { --edge: var(--plain); }
.hero .title { margin: .45rem 0 .35rem; font-size: 1.35rem; line-height: 1.3; font-weight: 650; }
.cure { margin-top: .5rem; padding: .5rem .75rem; background: var(--plain-back); border-radius: 8px; }
.badge {
  white-space: nowrap; display: inline-block; padding: .05rem .6rem; border-radius: 99px; font-size: .8125rem; font-weight: 600;
  color: var(--plain); background: var(--plain-back);
}
.badge.good { color: var(--good); background: var(--good-back); }
.badge.busy { color: var(--busy); background: var(--busy-back); }
.badge.warn { color: var(--warn); background: var(--warn-back); }
.badge.bad { color: var(--bad); background: var(--bad-back); }
.ago, .sub, .task, .more, .none, .when { color: var(--soft); }
time, .ago { white-space: nowrap; }
.name { font-weight: 600; overflow-wrap: anywhere; }
.task { display: block; font-size: .8125rem; font-weight: 400; overflow-wrap: anywhere; }
.more { font-size: .8125rem; margin-top: .6rem; }

.life { margin: 0 0 1.1rem; }
.life > svg { display: block; width: 100%; overflow: visible; }
.life .calm { fill: var(--calm); } .life .window { fill: var(--window); }
.life .over { fill: var(--calm-over); } .life .edge { fill: var(--warn); }
.life .now { fill: var(--now); } .life .now.late { fill: var(--bad); }
dl { margin: 0; display: grid; gap: .6rem .75rem; grid-template-columns: repeat(auto-fit, minmax(9.25rem, 1fr)); }
dt { font-size: .75rem; color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.stations dd { font-size: .8125rem; }
dl .wide { grid-column: 1 / -1; }
.stations dt::before { content: ""; display: inline-block; width: .65rem; height: .65rem; margin-right: .4rem; border-radius: 3px; background: var(--track); }
.stations .calm dt::before { background: var(--calm-over); } .stations .window dt::before { background: var(--window); }
.stations .now dt::before { background: var(--now); border-radius: 99px; } .stations .end dt::before { background: var(--warn); }
.stations .late dt::before { background: var(--bad); }
.stations .ago, .steps .ago { display: block; font-size: .8125rem; }
.facts { padding-top: .9rem; border-top: 1px solid var(--line); }

ul, ol { margin: 0; padding: 0; list-style: none; }
.steps li { padding: .45rem 0; border-top: 1px solid var(--line); }
.steps li:first-child { border-top: 0; padding-top: 0; }
.steps .what::first-letter { text-transform: uppercase; }
.steps .what { display: block; font-weight: 600; overflow-wrap: anywhere; }
.notes li { padding-left: 1.1rem; position: relative; overflow-wrap: anywhere; }
.notes li + li { margin-top: .4rem; }
.notes li::before { content: "!"; position: absolute; left: .1rem; font-weight: 700; color: var(--warn); }
.timeline li { position: relative; padding: 0 0 .9rem 1.4rem; border-left: 2px solid var(--line); margin-left: .4rem; }
.timeline li:last-child { padding-bottom: 0; border-color: transparent; }
.timeline li::before {
  content: ""; position: absolute; left: -.44rem; top: .35rem; width: .75rem; height: .75rem; border-radius: 99px;
  background: var(--plain); border: 2px solid var(--card);
}
.timeline .good::before { background: var(--calm-over); } .timeline .busy::before { background: var(--busy); }
.timeline .warn::before { background: var(--warn); } .timeline .bad::before { background: var(--bad); }
.timeline .when { margin: 0; font-size: .8125rem; }

table { width: 100%; border-collapse: collapse; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
th, td { padding: .5rem .75rem .5rem 0; text-align: left; vertical-align: top; font-weight: 400; overflow-wrap: anywhere; }
thead th { padding-top: 0; font-size: .75rem; color: var(--soft); border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
td li + li { margin-top: .3rem; }
tbody th { min-width: 12rem; width: 30%; }
.column { display: none; }
.meter { display: inline-flex; align-items: center; gap: .6rem; white-space: nowrap; }
.gauge { width: 7rem; border-radius: 99px; overflow: hidden; }
.gauge .rest { fill: var(--track); } .gauge .used { fill: var(--calm-over); } .gauge .full { fill: var(--bad); }
.gauge .edge { fill: var(--soft); }
@media (max-width: 44rem) {
  table, tbody, tr, tbody th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { padding: .6rem 0; }
  tbody tr:first-child { padding-top: 0; }
  tbody tr + tr { border-top: 1px solid var(--line); }
  tbody tr + tr > * { border-top: 0; }
  tbody th, td { padding: .1rem 0; }
  tbody th { width: auto; min-width: 0; }
  .badge { white-space: normal; }
  .gauge { width: 4.5rem; }
  td { display: grid; grid-template-columns: 7rem minmax(0, 1fr); gap: .5rem; }
  td.empty { display: none; }
  .column { display: block; font-size: .8125rem; color: var(--soft); }
  time, .ago { white-space: normal; }
}

label { display: block; font-size: .8125rem; color: var(--soft); }
input, button { font: inherit; color: inherit; }
input { width: 100%; max-width: 24rem; padding: .45rem .7rem; background: var(--ground); border: 1px solid var(--soft); border-radius: 8px; }
button { min-width: 7rem; padding: .45rem 1rem; background: var(--card); border: 1px solid var(--soft); border-radius: 8px; font-weight: 600; cursor: pointer; }
button:hover { border-color: var(--link); color: var(--link); }
.action { display: flex; gap: .9rem; align-items: center; color: var(--soft); }
.action button { flex: none; color: var(--text); }
footer { margin-top: 1.25rem; font-size: .8125rem; color: var(--soft); }
#stale { color: var(--bad); font-weight: 600; }
@media (forced-colors: active) { .life rect, .gauge rect, .life path { forced-color-adjust: none; } }
`;
