"""chart.py: a bar chart as SVG: how many times as long as ours each competitor takes. Colours follow a light or dark
page. SPDX-License-Identifier: MIT"""
import html, math

STYLE = '''<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.quiet { fill: #57606a; font-size: 12px }
.line { stroke: #d0d7de } .ours { stroke: #24292f; stroke-width: 1.5 }
.c0 { fill: #8c959f } .c1 { fill: #0969da } .c2 { fill: #bf8700 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 } .line { stroke: #3d444d } .ours { stroke: #e6edf3 }
.c0 { fill: #9198a1 } .c1 { fill: #4493f8 } .c2 { fill: #d29922 }
}
</style>'''
LEFT, WIDTH, BAR, GAP, TOP = 340, 900, 15, 14, 56


def chart(groups, names):
    """groups: (title, a ratio or None for each name). The axis is logarithmic: a ratio of 20 stands beside one of 2."""
    most = max([r for _, ratios in groups for r in ratios if r] + [2])
    least = min([r for _, ratios in groups for r in ratios if r] + [1])
    low, high = math.log2(min(least, 0.5)), math.log2(most) + 0.5
    at = lambda ratio: LEFT + (math.log2(ratio) - low) / (high - low) * (WIDTH - LEFT - 60)
    body, y = [], TOP
    for title, ratios in groups:
        shown = [(i, r) for i, r in enumerate(ratios) if r]
        middle = y + max(1, len(shown)) * BAR / 2 + 4
        body.append(f'<text x="{LEFT - 12}" y="{middle:.0f}" text-anchor="end">{html.escape(title)}</text>')
        for i, r in shown:
            begin, end = sorted((at(1), at(r)))
            body.append(f'<rect class="c{i}" x="{begin:.1f}" y="{y}" width="{max(1, end - begin):.1f}" height="{BAR - 2}"/>')
            body.append(f'<text class="quiet" x="{end + 5:.1f}" y="{y + 11}">{r:.2f}</text>')
            y += BAR
        y += GAP + (0 if shown else BAR)
    lines = []
    for power in range(math.ceil(low), math.floor(high) + 1):
        x = at(2.0 ** power)
        lines.append(f'<line class="{"ours" if power == 0 else "line"}" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{y - 6}"/>')
        label = 'ours' if power == 0 else f'{2.0 ** power:g}x'
        lines.append(f'<text class="quiet" x="{x:.1f}" y="{y + 8}" text-anchor="middle">{label}</text>')
    legend, x = [], LEFT
    for i, name in enumerate(names):
        legend.append(f'<rect class="c{i}" x="{x}" y="20" width="12" height="12"/><text x="{x + 18}" y="31">{html.escape(name)}</text>')
        x += 40 + 8 * len(name)
    head = '<text x="12" y="31">A training step, times as long as ours</text>'
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 18}" width="{WIDTH}" height="{y + 18}" '
            f'role="img" aria-label="A training step, times as long as ours">\n{STYLE}\n' + '\n'.join([head] + legend + lines + body) + '\n</svg>\n')
