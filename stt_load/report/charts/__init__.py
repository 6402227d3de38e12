"""The charts of a report as SVG text, drawn by hand: they take the colours of the page around them."""
