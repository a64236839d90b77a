<?php
/**
 * Installs WordPress into the empty database that wp-config.php names, and fills
 * the site of a small museum: `php build.php ROOT`. The same content on every run.
 */

[, $root] = $argv;
define('WP_INSTALLING', true);
// A new site's owner is told by mail; here is nobody to tell.
function wp_new_blog_notification(): void
{
}
require "$root/wp-load.php";
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/image.php';
require_once ABSPATH . 'wp-admin/includes/media.php';
mt_srand(20261126);

wp_install('Ferry Museum', 'curator', 'curator@museum.example', true, '', 'only on loopback');
update_option('blogdescription', 'Two centuries of crossing the river');
$wp_rewrite->set_permalink_structure('/%year%/%monthnum%/%postname%/');
update_option('posts_per_page', 6);
update_option('posts_per_rss', 8);
update_option('page_comments', 1);
update_option('comments_per_page', 4);
update_option('thread_comments', 1);
update_option('default_comments_page', 'oldest');
update_option('close_comments_for_old_posts', 0);
update_option('default_pingback_flag', 0);
switch_theme('twentytwentyone');
// The sample post and page.
foreach (get_posts(['post_type' => 'any', 'post_status' => 'any', 'numberposts' => -1]) as $sample) {
    wp_delete_post($sample->ID, true);
}
$uploads = wp_upload_dir('2023/09');

const WORDS = ['ferry', 'harbour', 'ledger', 'winter', 'captain', 'ice', 'bridge', 'passenger', 'engine', 'letter',
    'timber', 'station', 'river', 'flood', 'keeper', 'lantern', 'market', 'crossing', 'bell', 'archive', 'oak'];

function words(int $count): string
{
    $chosen = array_map(fn () => WORDS[mt_rand(0, count(WORDS) - 1)], range(1, $count));
    return ucfirst(implode(' ', $chosen)) . '.';
}

function paragraphs(int $count): string
{
    $made = array_map(fn () => "<!-- wp:paragraph -->\n<p>" . words(30) . "</p>\n<!-- /wp:paragraph -->\n", range(1, $count));
    return implode("\n", $made);
}

/** Draws a picture into a file: a gradient with ovals, so that no two are alike. */
function draw(string $file, int $width, int $height): void
{
    $image = imagecreatetruecolor($width, $height);
    [$red, $green, $blue] = [mt_rand(40, 200), mt_rand(40, 200), mt_rand(40, 200)];
    for ($y = 0; $y < $height; $y += 4) {
        $shade = $y / $height;
        $color = imagecolorallocate($image, (int) ($red * $shade), (int) ($green * $shade), $blue);
        imagefilledrectangle($image, 0, $y, $width, $y + 3, $color);
    }
    for ($oval = 0; $oval < 6; $oval++) {
        $color = imagecolorallocatealpha($image, mt_rand(0, 255), mt_rand(0, 255), mt_rand(0, 255), 60);
        imagefilledellipse($image, mt_rand(0, $width), mt_rand(0, $height), mt_rand(40, 500), mt_rand(40, 300), $color);
    }
    str_ends_with($file, '.png') ? imagepng($image, $file, 1) : imagejpeg($image, $file, 60);
}

/** A second of a tone, as WAV. */
function tone(string $file): void
{
    $samples = '';
    for ($at = 0; $at < 8000; $at++) {
        $samples .= chr(128 + (int) (60 * sin($at / 4)));
    }
    $format = pack('vvVVvv', 1, 1, 8000, 8000, 1, 8);
    $length = strlen($samples);
    file_put_contents($file, 'RIFF' . pack('V', 36 + $length) . 'WAVEfmt ' . pack('V', 16) . $format
        . 'data' . pack('V', $length) . $samples);
}

/** A PDF of one empty page. */
function pdf(string $file): void
{
    $objects = ['<< /Type /Catalog /Pages 2 0 R >>', '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
        '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>'];
    $text = "%PDF-1.4\n";
    $places = '';
    foreach ($objects as $number => $object) {
        $places .= sprintf("%010d 00000 n \n", strlen($text));
        $text .= sprintf("%d 0 obj\n%s\nendobj\n", $number + 1, $object);
    }
    $text .= sprintf("xref\n0 4\n0000000000 65535 f \n%strailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n",
        $places, strlen($text));
    file_put_contents($file, $text);
}

/** Puts a drawn file into the media library, in all sizes that the theme asks for. */
function attach(string $name, string $title, int $parent, callable $make): int
{
    global $uploads;
    $file = $uploads['path'] . '/' . wp_unique_filename($uploads['path'], $name);
    $make($file);
    $type = wp_check_filetype($file)['type'];
    $id = wp_insert_attachment(['post_title' => $title, 'post_mime_type' => $type, 'post_date' => '2023-09-04 10:00:00',
        'post_excerpt' => "$title, from the museum's own collection"], $file, $parent, true);
    if (is_wp_error($id)) {
        throw new RuntimeException($id->get_error_message());
    }
    // Not for sounds: what would read them isn't where Debian's WordPress looks for it.
    if (wp_attachment_is_image($id)) {
        wp_update_attachment_metadata($id, wp_generate_attachment_metadata($id, $file));
    }
    update_post_meta($id, '_wp_attachment_image_alt', $title);
    return $id;
}

function image_block(int $id, string $size = 'large', string $link = 'attachment'): string
{
    $source = wp_get_attachment_image_url($id, $size);
    $target = $link === 'media' ? wp_get_attachment_url($id) : get_attachment_link($id);
    return sprintf("<!-- wp:image {\"id\":%d,\"sizeSlug\":\"%s\",\"linkDestination\":\"%s\"} -->\n"
        . '<figure class="wp-block-image size-%2$s"><a href="%s"><img src="%s" alt="" class="wp-image-%1$d"/></a></figure>'
        . "\n<!-- /wp:image -->\n", $id, $size, $link, esc_url($target), esc_url($source));
}

/** Saves a post or page; an error is the test's end, not a gap in the site. */
function save(array $post): int
{
    // As everywhere in WordPress the text is expected with slashes.
    $id = wp_insert_post(wp_slash($post + ['post_status' => 'publish', 'comment_status' => 'open', 'post_author' => 1]), true);
    if (is_wp_error($id)) {
        throw new RuntimeException($id->get_error_message());
    }
    return $id;
}

$authors = [1];
foreach (['Ada Fährmann', 'Bo Larsen'] as $name) {
    $login = sanitize_user(explode(' ', strtolower($name))[0]);
    $authors[] = wp_insert_user(['user_login' => $login, 'user_pass' => wp_generate_password(),
        'user_email' => "$login@museum.example", 'display_name' => $name, 'role' => 'author',
        'description' => "$name writes about the river."]);
}
$categories = [];
foreach (['Boats' => 0, 'Steam' => 'Boats', 'People' => 0, 'Building' => 0, 'Überfahrten' => 0] as $name => $parent) {
    $made = wp_insert_term($name, 'category', ['parent' => $categories[$parent] ?? 0, 'description' => "All about $name"]);
    $categories[$name] = $made['term_id'];
}
$ids = array_values($categories);

// Pictures first: posts show them.
$pictures = [];
foreach (['Slipway', 'Ticket office', 'Steam ferry', 'Winter quay', 'Signal mast', 'Engine room'] as $title) {
    $pictures[] = attach(sanitize_title($title) . '.jpg', $title, 0, fn ($file) => draw($file, 1700, 1130));
}
foreach (['Ticket of 1911' => 'ticket.png', 'Плотина' => 'плотина.jpg', 'Map' => 'map (old).jpg'] as $title => $name) {
    $pictures[] = attach($name, $title, 0, fn ($file) => draw($file, 640, 420));
}
$document = attach('annual-report-2023.pdf', 'Annual report', 0, 'pdf');
$audio = attach('ferry-bell.wav', 'The ferry bell', 0, 'tone');
update_option('site_icon', attach('icon.png', 'Icon', 0, fn ($file) => draw($file, 512, 512)));
mkdir($uploads['basedir'] . '/portraits');
mkdir($uploads['basedir'] . '/fonts');
for ($portrait = 0; $portrait < 4; $portrait++) {
    draw($uploads['basedir'] . "/portraits/$portrait.png", 96, 96);
}
draw($uploads['basedir'] . '/pattern.png', 32, 32);
copy(get_theme_root() . '/twentytwentythree/assets/fonts/source-serif-pro/SourceSerif4Variable-Roman.ttf.woff2',
    $uploads['basedir'] . '/fonts/museum.woff2');

// Pages, with a hierarchy.
$visit = save(['post_type' => 'page', 'post_title' => 'Visit', 'post_content' => paragraphs(2), 'menu_order' => 1]);
$pages = ['Visit' => $visit];
foreach (['Last days' => 'Visit', 'Prices' => 'Visit', 'By boat' => 'Prices', 'About' => null, 'Shop' => null] as $title => $parent) {
    $pages[$title] = save(['post_type' => 'page', 'post_title' => $title, 'post_parent' => $parent ? $pages[$parent] : 0,
        'post_content' => paragraphs(2) . ($title === 'About' ? sprintf(
            "<!-- wp:file {\"id\":%d,\"href\":\"%s\"} -->\n<div class=\"wp-block-file\"><a href=\"%2\$s\">Annual report</a></div>\n<!-- /wp:file -->\n",
            $document, wp_get_attachment_url($document)) : '')]);
}
save(['post_type' => 'page', 'post_title' => 'Draft of the farewell', 'post_status' => 'draft', 'post_content' => paragraphs(1)]);

/** What a post shows beside its text, another thing in each. */
function showpiece(int $number): string
{
    global $pictures, $audio, $document;
    $one = $pictures[$number % count($pictures)];
    $three = [$one, $pictures[($number + 2) % count($pictures)], $pictures[($number + 5) % count($pictures)]];
    switch ($number % 8) {
        case 0:
            return image_block($one, 'large', 'media') . "<!--more-->\n" . paragraphs(1);
        case 1:
            $inner = implode('', array_map(fn ($id) => image_block($id, 'large'), $three));
            return "<!-- wp:gallery {\"linkTo\":\"attachment\"} -->\n<figure class=\"wp-block-gallery has-nested-images columns-3\">$inner</figure>\n<!-- /wp:gallery -->\n";
        case 2:
            return '[gallery ids="' . implode(',', $three) . '" size="medium"]';
        case 3:
            return sprintf("<!-- wp:audio {\"id\":%d} -->\n<figure class=\"wp-block-audio\"><audio controls src=\"%s\"></audio></figure>\n<!-- /wp:audio -->\n", $audio, wp_get_attachment_url($audio))
                . '[audio wav="' . wp_get_attachment_url($audio) . '"]';
        case 4:
            return sprintf("<!-- wp:cover {\"url\":\"%s\",\"id\":%d,\"hasParallax\":true} -->\n<div class=\"wp-block-cover has-parallax\" style=\"background-image:url(%1\$s)\"><div class=\"wp-block-cover__inner-container\"><p>Cover</p></div></div>\n<!-- /wp:cover -->\n", wp_get_attachment_url($one), $one);
        case 5:
            return paragraphs(1) . "<!--nextpage-->\n" . paragraphs(1) . "<!--nextpage-->\n" . image_block($one, 'medium');
        case 6:
            return sprintf("<!-- wp:media-text {\"mediaId\":%d,\"mediaType\":\"image\"} -->\n<div class=\"wp-block-media-text\"><figure class=\"wp-block-media-text__media\"><img src=\"%s\" alt=\"\" class=\"wp-image-%1\$d size-full\"/></figure><div class=\"wp-block-media-text__content\"><p>Text</p></div></div>\n<!-- /wp:media-text -->\n", $one, wp_get_attachment_url($one))
                . '[caption id="attachment_' . $one . '" align="alignnone" width="300"]' . wp_get_attachment_image($one, 'medium') . ' A caption[/caption]';
        default:
            return "<!-- wp:quote -->\n<blockquote class=\"wp-block-quote\"><p>" . words(12) . "</p></blockquote>\n<!-- /wp:quote -->\n"
                . '<p><a href="' . wp_get_attachment_url($document) . '">Annual report</a></p>';
    }
}

$posts = [];
for ($number = 0; $number < 42; $number++) {
    $day = strtotime('2023-09-05 09:30:00') + $number * 5 * 86400;
    $title = match ($number) {
        7 => '渡し船の夜',
        11 => 'Übersee & “quotes”',
        default => ucfirst(rtrim(words(3), '.')) . ' ' . ($number + 1),
    };
    $posts[] = save([
        'post_title' => $title,
        'post_date' => gmdate('Y-m-d H:i:s', $day),
        'post_author' => $authors[$number % 3],
        'post_category' => [$ids[$number % 5], $ids[($number * 3) % 5]],
        'tags_input' => [WORDS[$number % 12], WORDS[($number * 5) % 12]],
        'post_content' => paragraphs(1) . showpiece($number) . paragraphs(1)
            . ($number ? '<p>Before: <a href="' . get_permalink($posts[$number - 1]) . '">the last one</a></p>' : ''),
    ]);
    if ($number % 3 === 0) {
        set_post_thumbnail($posts[$number], $pictures[$number % count($pictures)]);
    }
}
stick_post($posts[20]);
set_post_format($posts[14], 'aside');
set_post_format($posts[15], 'gallery');
// One post within another, by WordPress's own oEmbed.
wp_update_post(['ID' => $posts[30], 'post_content' => wp_slash(sprintf(
    "<!-- wp:embed {\"url\":\"%s\",\"type\":\"wp-embed\"} -->\n<figure class=\"wp-block-embed is-type-wp-embed\"><div class=\"wp-block-embed__wrapper\">\n%1\$s\n</div></figure>\n<!-- /wp:embed -->\n",
    get_permalink($posts[3])))]);
$dated = ['post_date' => '2024-02-20 10:00:00', 'post_content' => '<p>THE SECRET OF THE FERRY</p>'];
save(['post_title' => 'Kept private', 'post_status' => 'private'] + $dated);
save(['post_title' => 'Not yet written', 'post_status' => 'draft'] + $dated);
save(['post_title' => 'In a hundred years', 'post_status' => 'future', 'post_date' => '2123-01-01 10:00:00'] + $dated);
save(['post_title' => 'For members', 'post_password' => 'boats'] + $dated);

// Comments: threads, and on some posts more than one page of them.
foreach ($posts as $number => $post) {
    $parents = [0];
    for ($comment = 0; $comment < [0, 1, 3, 14][$number % 4] % ($number < 12 ? 99 : 5); $comment++) {
        $id = wp_insert_comment(['comment_post_ID' => $post, 'comment_author' => 'Reader ' . mt_rand(1, 9),
            'comment_author_email' => 'reader@museum.example', 'comment_content' => words(12),
            'comment_parent' => $comment % 3 === 2 ? end($parents) : 0, 'comment_approved' => 1,
            'comment_date' => gmdate('Y-m-d H:i:s', strtotime('2024-04-01') + 3600 * $comment + 60 * $number)]);
        $parents[] = $id;
    }
    wp_insert_comment(['comment_post_ID' => $post, 'comment_author' => 'Spammer', 'comment_content' => 'spam', 'comment_approved' => 0]);
}

// The menu, and widgets: a calendar among them.
$menu = wp_create_nav_menu('Main');
foreach ($pages as $title => $page) {
    wp_update_nav_menu_item($menu, 0, ['menu-item-object-id' => $page, 'menu-item-object' => 'page',
        'menu-item-type' => 'post_type', 'menu-item-status' => 'publish', 'menu-item-title' => $title]);
}
foreach (['Events' => '/events/', 'Collection' => '/collection/', 'Tickets' => '/tickets/', 'Rooms' => '/rooms/'] as $title => $path) {
    wp_update_nav_menu_item($menu, 0, ['menu-item-title' => $title, 'menu-item-url' => home_url($path),
        'menu-item-type' => 'custom', 'menu-item-status' => 'publish']);
}
set_theme_mod('nav_menu_locations', ['primary' => $menu, 'footer' => $menu]);
$blocks = ['wp:calendar', 'wp:search {"label":"Search"}', 'wp:archives', 'wp:categories {"showHierarchy":true}',
    'wp:tag-cloud', 'wp:latest-comments', 'wp:latest-posts {"postsToShow":3,"displayFeaturedImage":true}'];
$widgets = ['_multiwidget' => 1];
foreach ($blocks as $number => $block) {
    $widgets[$number + 2] = ['content' => "<!-- $block /-->"];
}
update_option('widget_block', $widgets);
update_option('sidebars_widgets', ['wp_inactive_widgets' => [], 'array_version' => 3,
    'sidebar-1' => array_map(fn ($number) => 'block-' . ($number + 2), array_keys($blocks))]);
flush_rewrite_rules(false);
printf("%d posts, %d pages, %d pictures\n", count($posts), count($pages), count($pictures));
