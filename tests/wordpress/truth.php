<?php
/**
 * What the database knows to be public, as JSON: `php truth.php ROOT`. A class of
 * URLs each, told by WordPress's own functions and counted by our own questions;
 * whether anything links to them is worked out elsewhere.
 */

[, $root] = $argv;
require "$root/wp-load.php";

/** The pages of a listing of so many entries: its own address and /page/2/ and on. */
function pages(string $first, int $entries, int $each): array
{
    $urls = [$first];
    for ($page = 2; $page <= ceil($entries / $each); $page++) {
        $urls[] = user_trailingslashit(trailingslashit($first) . "page/$page");
    }
    return $urls;
}

$each = (int) get_option('posts_per_page');
$public = $wpdb->get_results("SELECT * FROM $wpdb->posts WHERE post_status = 'publish' AND post_password = ''
    AND post_type IN ('post', 'page') ORDER BY ID");
$posts = array_filter($public, fn ($post) => $post->post_type === 'post');
// Listings show those with a password too, by their title.
$listed = $wpdb->get_results("SELECT * FROM $wpdb->posts WHERE post_status = 'publish' AND post_type = 'post'");
$truth = [];

$truth['posts'] = array_map('get_permalink', array_column($posts, 'ID'));
$truth['pages'] = array_map('get_permalink', array_column(array_filter($public, fn ($post) => $post->post_type === 'page'), 'ID'));
foreach ($public as $post) {
    for ($page = 2; $page <= 1 + substr_count($post->post_content, '<!--nextpage-->'); $page++) {
        $truth['pages of a post'][] = user_trailingslashit(get_permalink($post->ID) . $page);
    }
    $top = $wpdb->get_var("SELECT count(*) FROM $wpdb->comments WHERE comment_post_ID = $post->ID
        AND comment_approved = '1' AND comment_parent = 0");
    for ($page = 1; $page <= ceil($top / get_option('comments_per_page')); $page++) {
        $truth['pages of comments'][] = user_trailingslashit(get_permalink($post->ID) . "comment-page-$page");
    }
    $truth['short links'][] = wp_get_shortlink($post->ID, 'post');
    $truth['posts embedded'][] = get_post_embed_url($post->ID);
}

$attachments = $wpdb->get_col("SELECT ID FROM $wpdb->posts WHERE post_type = 'attachment' ORDER BY ID");
$truth['attachment pages'] = array_map('get_attachment_link', $attachments);
foreach ($attachments as $id) {
    $truth['short links'][] = wp_get_shortlink($id, 'post');
    $truth['posts embedded'][] = get_post_embed_url($id);
    $truth['media'][] = wp_get_attachment_url($id);
    $meta = wp_get_attachment_metadata($id);
    foreach (is_array($meta) ? $meta['sizes'] ?? [] : [] as $size) {
        $truth['media'][] = dirname(wp_get_attachment_url($id)) . '/' . $size['file'];
    }
}

$truth['front pages'] = pages(home_url('/'), count($listed), $each);
$feeds = [home_url('/'), home_url('/comments/')];
foreach (['category' => 'categories', 'post_tag' => 'tags', 'post_format' => 'post formats'] as $taxonomy => $class) {
    foreach (get_terms(['taxonomy' => $taxonomy, 'hide_empty' => true]) as $term) {
        $within = array_merge([$term->term_id], get_term_children($term->term_id, $taxonomy));
        $count = $wpdb->get_var("SELECT count(DISTINCT object_id) FROM $wpdb->term_relationships
            JOIN $wpdb->term_taxonomy USING (term_taxonomy_id) JOIN $wpdb->posts ON ID = object_id
            WHERE taxonomy = '$taxonomy' AND post_status = 'publish' AND term_id IN (" . implode(',', $within) . ')');
        $truth[$class] = array_merge($truth[$class] ?? [], pages(get_term_link($term), $count, $each));
        $feeds[] = get_term_link($term);
    }
}
foreach (array_count_values(array_column($listed, 'post_author')) as $author => $count) {
    $truth['authors'] = array_merge($truth['authors'] ?? [], pages(get_author_posts_url($author), $count, $each));
    $feeds[] = get_author_posts_url($author);
}
foreach ([4 => 'Y/', 7 => 'Y/m/', 10 => 'Y/m/d/'] as $length => $format) {
    foreach (array_count_values(array_map(fn ($post) => substr($post->post_date, 0, $length), $listed)) as $date => $count) {
        $path = strtr($date, '-', '/');
        $truth['date archives'] = array_merge($truth['date archives'] ?? [], pages(home_url("/$path/"), $count, $each));
    }
}
$truth['feeds'] = array_map(fn ($url) => trailingslashit($url) . 'feed/', $feeds);
foreach (array_merge(array_column($public, 'ID'), $attachments) as $id) {
    $truth['feeds'][] = get_post_comments_feed_link($id);
}

$sitemaps = wp_sitemaps_get_server();
$truth['sitemaps'] = array_merge([$sitemaps->index->get_index_url()], array_column($sitemaps->index->get_sitemap_list(), 'loc'),
    [home_url('/wp-sitemap.xsl'), home_url('/wp-sitemap-index.xsl')]);

$truth['rest and oembed'] = [rest_url()];
foreach (array_merge(array_column($public, 'ID'), $attachments) as $id) {
    $type = get_post_type_object(get_post_type($id));
    $truth['rest and oembed'][] = rest_url("wp/v2/$type->rest_base/$id");
    $truth['rest and oembed'][] = get_oembed_endpoint_url(get_permalink($id));
    $truth['rest and oembed'][] = get_oembed_endpoint_url(get_permalink($id), 'xml');
}
foreach (['category', 'post_tag'] as $taxonomy) {
    foreach (get_terms(['taxonomy' => $taxonomy]) as $term) {
        $truth['rest and oembed'][] = rest_url('wp/v2/' . get_taxonomy($taxonomy)->rest_base . "/$term->term_id");
    }
}
foreach (get_users(['fields' => 'ID']) as $author) {
    $truth['rest and oembed'][] = rest_url("wp/v2/users/$author");
}

// Known, and not public: whoever asks is told nothing of these.
$hidden = get_posts(['post_type' => ['post', 'page'], 'post_status' => ['draft', 'private', 'future'], 'numberposts' => -1]);
$truth = array_map(fn ($urls) => array_values(array_unique($urls)), $truth);
echo json_encode(['public' => $truth, 'hidden' => array_map('get_permalink', $hidden)], JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES);
