<?php
/**
 * What the museum's site has beside WordPress itself: its closing notice, local
 * portraits, a font, and four traps of the kinds that plugins bring.
 *
 * A must-use plugin of the test's site; check.py says how many pages of each
 * trap a capture may hold.
 */

add_action('wp_body_open', function () {
    echo '<div class="closing-notice" role="alert">The museum closes on 31 March and this site with it.',
        ' <a href="', esc_url(home_url('/visit/last-days/')), '">Last days</a></div>';
});

// Portraits from the museum's own disk instead of gravatar.com's.
add_filter('pre_get_avatar_data', function ($data, $who) {
    $name = $who instanceof WP_Comment ? $who->comment_author : (string) (is_object($who) ? $who->ID ?? '' : $who);
    $data['url'] = content_url(sprintf('/uploads/portraits/%d.png', crc32($name) % 4));
    $data['found_avatar'] = true;
    return $data;
}, 10, 2);

add_action('wp_head', function () {
    $fonts = content_url('/uploads/fonts');
    echo "<style>@font-face { font-family: Museum; src: url('$fonts/museum.woff2') format('woff2'); }",
        " .closing-notice { font-family: Museum; background: url($fonts/../pattern.png) }</style>\n";
});

/** A link of the museum's site. */
function museum_link(string $path, string $text): string
{
    return sprintf('<li><a href="%s">%s</a></li>', esc_url(home_url($path)), esc_html($text));
}

/** A page of the theme around a title and a text. */
function museum_page(string $title, string $body): never
{
    global $wp_query;
    $wp_query->is_404 = false;
    add_filter('pre_get_document_title', fn () => $title . ' – ' . get_bloginfo('name'));
    status_header(200);
    get_header();
    echo '<article class="entry-content"><h1>', esc_html($title), '</h1>', $body, '</article>';
    get_footer();
    exit;
}

/** A calendar without end: months and their days, three views of each. */
function museum_calendar(int $year, int $month, int $day): never
{
    $first = gmmktime(0, 0, 0, $month, 1, $year);
    $links = '';
    foreach (['-1 month' => 'Earlier', '+1 month' => 'Later'] as $step => $text) {
        $links .= museum_link(gmdate('/\e\v\e\n\t\s/Y/m/', strtotime($step, $first)), $text);
    }
    foreach (['list', 'week'] as $view) {
        $links .= museum_link(sprintf('/events/%04d/%02d/?view=%s', $year, $month, $view), "As $view");
    }
    for ($other = 1; $other <= (int) gmdate('t', $first); $other++) {
        $links .= museum_link(sprintf('/events/%04d/%02d/%02d/', $year, $month, $other), (string) $other);
    }
    $title = 'Events: ' . gmdate($day ? 'j F Y' : 'F Y', $day ? gmmktime(0, 0, 0, $month, $day, $year) : $first);
    museum_page($title, "<p>There are no events.</p><ul>$links</ul>");
}

/** Filters that any link adds to, in any order. */
function museum_collection(): never
{
    $query = wp_unslash($_GET);
    $links = '';
    $filters = ['material' => ['oak', 'iron', 'paper'], 'period' => ['1800', '1850', '1900'],
        'room' => ['1', '2', '3'], 'sort' => ['name', 'year']];
    foreach ($filters as $name => $values) {
        foreach ($values as $value) {
            // As most plugins do it: the one just chosen comes last.
            $chosen = array_diff_key($query, [$name => '']) + [$name => $value];
            $links .= museum_link('/collection/?' . http_build_query($chosen), "$name: $value");
        }
    }
    museum_page('Collection', '<p>' . count($query) . " filters.</p><ul>$links</ul>");
}

/** Every visit to a page of this part gets a session of its own, and its links carry it. */
function museum_tickets(string $page): never
{
    $session = bin2hex(random_bytes(16));
    $links = '';
    foreach (['', 'prices/', 'groups/', 'guides/'] as $other) {
        $links .= museum_link("/tickets/$other?PHPSESSID=$session", $other ?: 'tickets');
    }
    museum_page('Tickets ' . trim($page, '/'), "<ul>$links</ul>");
}

/** Relative links below a part that answers whatever path it is asked for. */
function museum_rooms(string $path): never
{
    $links = '';
    foreach (['ground-floor/', 'first-floor/', 'tower/'] as $room) {
        $links .= "<li><a href=\"$room\">$room</a></li>";
    }
    museum_page('Rooms', "<p>This is not the room that you look for.</p><ul>$links</ul>");
}

add_action('template_redirect', function () {
    $path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
    if (preg_match('~^/events/(\d{4})/(\d\d)/(?:(\d\d)/)?$~', $path, $found)) {
        museum_calendar((int) $found[1], (int) $found[2], (int) ($found[3] ?? 0));
    }
    if ($path === '/events/') {
        museum_calendar(2024, 3, 0);
    }
    if ($path === '/collection/') {
        museum_collection();
    }
    if (preg_match('~^/tickets/(\w+/)?$~', $path, $found)) {
        museum_tickets($found[1] ?? '');
    }
    if (preg_match('~^/rooms/((?:[a-z-]+/)*)$~', $path, $found)) {
        museum_rooms($found[1]);
    }
}, 0);
