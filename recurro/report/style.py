"""How the page of a run looks, in a light and in a dark scheme."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c2330; --soft: #5b6472; --line: #dfe3e9; --page: #ffffff; --card: #f5f7fa;
  --train: #d0730c; --valid: #1f62d0; --skip: #c62f3b;
  --more: #2c8a5b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e4e8ef; --soft: #9aa4b3; --line: #303846; --page: #12161d;
    --card: #1a2029; --train: #eda045; --valid: #78a9ff; --skip: #ff7b82;
    --more: #6fcf97;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 860px; margin: 0 auto; padding: 32px 24px 8px; }
footer { max-width: 860px; margin: 0 auto; padding: 8px 24px 32px; color: var(--soft); }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 20px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 36px 0 12px; }
h3 { font-size: 13px; font-weight: 600; color: var(--soft); margin: 14px 0 6px; }
.tiles { display: grid; gap: 10px; margin: 0;
  grid-template-columns: repeat(auto-fit, minmax(125px, 1fr)); }
.tiles div { background: var(--card); border-radius: 8px; padding: 10px 14px; }
.tiles dt { color: var(--soft); font-size: 12px; }
.tiles dd { margin: 0; font-size: 19px; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
figure { margin: 0 0 16px; overflow-x: auto; }
figcaption { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 13px; }
.key { display: inline-flex; align-items: center; gap: 8px; }
.key::before { content: ""; width: 18px; border-top: 2.5px solid currentColor; }
.key.training::before { color: var(--train); }
.key.validation::before { color: var(--valid); }
.key.baseline::before { color: var(--soft); border-top: 1.5px dashed; }
.key.line0::before { color: var(--valid); }
.key.line1::before { color: var(--skip); }
.key.line2::before, .key.line3::before { color: var(--soft); }
.key.band::before { border-top: 12px solid var(--train); opacity: 0.35; }
.key.skipped::before { width: 0; border: 5px solid transparent; border-top: 0;
  border-bottom: 8px solid var(--skip); }
figure { margin: 14px 0; }
figure img { display: block; max-width: 100%; background: #fff; padding: 8px;
  border-radius: 6px; }
figcaption { color: var(--soft); font-size: 12.5px; margin-top: 6px; }
svg { display: block; width: 100%; min-width: 560px; height: auto; margin-top: 6px; }
svg text { fill: var(--ink); font-size: 12.5px; font-variant-numeric: tabular-nums; }
svg .tick { fill: var(--soft); }
svg line { stroke: var(--line); }
svg .axis, svg .lead { stroke: var(--soft); }
svg .level { stroke: var(--soft); stroke-dasharray: 5 4; }
svg polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg polyline.training { stroke: var(--train); stroke-width: 1.5; }
svg polyline.validation { stroke: var(--valid); }
svg circle.training { fill: var(--train); }
svg circle.validation { fill: var(--valid); }
svg .line0, svg .line1, svg .line2, svg .line3 {
  stroke: var(--valid); stroke-width: 1;
}
svg .line1 { stroke: var(--skip); }
svg .line2, svg .line3 { stroke: var(--soft); }
svg .band { fill: var(--train); opacity: 0.25; }
svg .mark { fill: var(--skip); }
.dynamics p { color: var(--soft); margin: 0 0 8px; }
.advice { padding-left: 20px; margin: 0 0 16px; }
.advice li { margin-bottom: 8px; }
.advice small { display: block; color: var(--soft); font-size: 12.5px; }
.layers { width: 100%; margin: 0 0 20px; }
.layers th { color: var(--soft); font-weight: 500; font-size: 13px; }
.layers th, .layers td { padding: 6px 12px 6px 0; text-align: right;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
.layers th:first-child, .layers td:first-child { text-align: left; }
.planes { display: grid; gap: 8px 24px;
  grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); }
svg.plane { min-width: 300px; }
svg .frame, svg .unit, svg .cross { fill: none; stroke: var(--line); }
svg .unit { stroke: var(--soft); }
svg .cross { stroke-dasharray: 3 4; }
svg .group0 { stroke: var(--valid); } svg circle.group0 { fill: var(--valid); }
svg .group1 { stroke: var(--train); } svg circle.group1 { fill: var(--train); }
svg .group2 { stroke: var(--skip); } svg circle.group2 { fill: var(--skip); }
svg .group3 { stroke: var(--more); } svg circle.group3 { fill: var(--more); }
svg .group4 { stroke: var(--soft); } svg circle.group4 { fill: var(--soft); }
svg .group5 { stroke: var(--ink); } svg circle.group5 { fill: var(--ink); }
svg circle[class^="group"] { stroke: none; fill-opacity: 0.65; }
svg polyline.before { stroke-dasharray: 5 4; stroke-width: 1.5; }
.key.group0::before { color: var(--valid); }
.key.group1::before { color: var(--train); }
.key.group2::before { color: var(--skip); }
.key.group3::before { color: var(--more); }
.key.group4::before { color: var(--soft); }
.key.group5::before { color: var(--ink); }
.key.before::before { border-top-style: dashed; }
table { border-collapse: collapse; font-size: 14px; }
.models { width: 100%; }
.models th { color: var(--soft); font-weight: 500; }
.models th, .models td { padding: 6px 10px; text-align: left;
  border-bottom: 1px solid var(--line); }
.models .number { text-align: right; font-variant-numeric: tabular-nums; }
.models tbody tr:last-child { font-weight: 650; background: var(--card); }
pre {
  margin: 0; padding: 14px 16px; background: var(--card); border-radius: 8px;
  font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate;
}
.groups { columns: 2 340px; column-gap: 40px; }
.groups > div { break-inside: avoid; padding-bottom: 14px; }
.groups h3 { margin-top: 0; }
.settings { width: 100%; table-layout: fixed; }
.settings th { width: 45%; text-align: left; font-weight: 400; color: var(--soft); }
.settings th, .settings td { padding: 3px 8px 3px 0; vertical-align: top;
  overflow-wrap: anywhere; border-bottom: 1px solid var(--line); }
@media print { pre, .tiles div { border: 1px solid var(--line); } }
"""
"""The page's style sheet."""
