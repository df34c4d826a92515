"""From declared content to one HTML file: charts, markup, styles and scripts."""
